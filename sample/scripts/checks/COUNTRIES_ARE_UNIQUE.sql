-- A country that is there twice would be counted twice in its continent.
SELECT name, count(*) AS times
FROM COUNTRY_FIGURES
GROUP BY name
HAVING count(*) > 1
