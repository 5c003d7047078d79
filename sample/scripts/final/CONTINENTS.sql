-- One row a continent, the most populous first. Its salary is the mean over people, so that a large country counts for more.
SELECT
    continent,
    count(*) AS countries,
    round(sum(population_millions) * 1000) / 1000 AS population_millions,
    CAST(round(sum(yearly_salary_usd * population_millions) / sum(population_millions)) AS BIGINT) AS yearly_salary_usd,
    max(yearly_salary_usd) AS highest_yearly_salary_usd
FROM COUNTRY_FIGURES
GROUP BY continent
ORDER BY sum(population_millions) DESC
