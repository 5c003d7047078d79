SELECT
    category,
    city,
    count(*) AS orders,
    sum(quantity) AS quantity,
    round(sum(amount), 2) AS amount,
    min(order_date) AS first_order,
    max(order_date) AS last_order
FROM ORDERS_CLEAN
GROUP BY category, city
ORDER BY category, city
