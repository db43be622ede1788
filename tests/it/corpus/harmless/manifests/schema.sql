-- orders and their lines
BEGIN;
CREATE TABLE orders (id bigint PRIMARY KEY, number text NOT NULL UNIQUE, total numeric(12, 2) NOT NULL DEFAULT 0, placed_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX CONCURRENTLY orders_placed_at_idx ON orders USING brin (placed_at) WITH (pages_per_range = 32);
ALTER TABLE lines ADD CONSTRAINT lines_order_fk FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE;
INSERT INTO orders (id, number, total) VALUES (7, '2026-000117', 14.87), (8, '2026-000118', 1290.00);
SELECT o.id, count(*) FILTER (WHERE l.quantity > 1) FROM orders o LEFT JOIN lines l ON l.order_id = o.id WHERE o.placed_at >= '2026-11-01' AND o.number LIKE '2026-%' GROUP BY 1 HAVING count(*) > 2 ORDER BY 2 DESC LIMIT 50 OFFSET 100;
UPDATE lines SET quantity = quantity + 1 WHERE order_id = $1 AND sku = $2 RETURNING id;
EXPLAIN ANALYZE SELECT 1; -- Result  (cost=0.00..0.01 rows=1 width=4) (actual time=0.001..0.002 rows=1 loops=1)
COMMIT;
