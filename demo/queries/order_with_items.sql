-- name: order_with_items
-- budget: p95 < 10ms, buffers < 50
-- param: order_id = sample(order_items.order_id)
SELECT o.id, o.status, o.total, i.product_id, i.quantity, i.unit_price
FROM orders o
JOIN order_items i ON i.order_id = o.id
WHERE o.id = :order_id;
