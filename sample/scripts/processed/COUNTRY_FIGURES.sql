-- One row a country, with its population in millions and a year's salary.
-- Populations are of 2023; salaries are what an employee earns on average in a month, before taxes, in US dollars of 2023.
-- All are public figures, rounded: good for trying things out, not for citing.
SELECT
    name,
    continent,
    capital,
    latitude,
    longitude,
    population,
    CAST(population AS DOUBLE PRECISION) / 1000000 AS population_millions,
    average_salary_usd,
    12 * average_salary_usd AS yearly_salary_usd
FROM SAMPLE_DATA
ORDER BY name
