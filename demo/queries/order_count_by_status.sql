-- name: order_count_by_status
SELECT status, count(*) AS orders
FROM orders
GROUP BY status
ORDER BY status;
