-- The indexes that the shop's queries had been waiting for.

CREATE INDEX idx_orders_user_created ON orders (user_id, created_at DESC);
CREATE INDEX idx_order_items_order ON order_items (order_id);
CREATE INDEX idx_inventory_category_stock ON inventory (category, stock) WHERE stock > 0;
