-- name: inventory_search
-- budget: p95 < 10ms
-- param: category = sample(inventory.category)
SELECT id, name, price, stock
FROM inventory
WHERE category = :category AND stock > 0
ORDER BY price
LIMIT 50;
