-- name: user_orders_with_items
-- param: user_id = sample(orders.user_id)
SELECT o.id, o.created_at, i.product_id, i.quantity, i.unit_price
FROM orders o
JOIN order_items i ON i.order_id = o.id
WHERE o.user_id = :user_id
ORDER BY o.created_at DESC, i.id
LIMIT 100;
