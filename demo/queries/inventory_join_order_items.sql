-- name: inventory_join_order_items
-- param: category = common(inventory.category)
SELECT p.id, p.name, sum(i.quantity) AS sold
FROM inventory p
JOIN order_items i ON i.product_id = p.id
WHERE p.category = :category
GROUP BY p.id, p.name
ORDER BY sold DESC, p.id
LIMIT 20;
