-- Every country has a continent, people, a salary and a place on the globe.
SELECT name, continent, latitude, longitude, population, average_salary_usd
FROM COUNTRY_FIGURES
WHERE continent IS NULL
    OR population IS NULL OR population <= 0
    OR average_salary_usd IS NULL OR average_salary_usd <= 0
    OR latitude IS NULL OR latitude NOT BETWEEN -90 AND 90
    OR longitude IS NULL OR longitude NOT BETWEEN -180 AND 180
