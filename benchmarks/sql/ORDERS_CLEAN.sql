SELECT
    order_id,
    customer_id,
    order_date,
    substr(CAST(order_date AS VARCHAR), 1, 7) AS month,
    upper(trim(city)) AS city,
    category,
    status,
    quantity,
    unit_price,
    round(quantity * unit_price, 2) AS amount
FROM ORDERS
WHERE status <> 'returned'
