-- name: pending_orders_low_stock
-- param: threshold = one_of(5, 10, 20)
SELECT o.id AS order_id, p.id AS product_id, p.stock
FROM orders o
JOIN order_items i ON i.order_id = o.id
JOIN inventory p ON p.id = i.product_id
WHERE o.status = 'pending' AND p.stock < :threshold
ORDER BY o.created_at, o.id, p.id
LIMIT 100;
