-- What each country bought, and what came back
SELECT
    c.country,
    count(DISTINCT c.customer_no) AS customers,
    count(*) AS orders,
    round(sum(o.amount_eur), 2) AS revenue_eur,
    count(r.order_no) AS returned
FROM ORDERS_CLEAN o
JOIN CUSTOMERS_CLEAN c ON c.customer_no = o.customer_no
LEFT JOIN RETURNS_CLEAN r ON r.order_no = o.order_no
GROUP BY c.country
ORDER BY revenue_eur DESC
