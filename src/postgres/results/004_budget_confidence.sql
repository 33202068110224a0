-- The confidence of the interval that a budget was decided by, 0 to 1; NULL in runs exported before.
ALTER TABLE plimsoll.budgets ADD COLUMN confidence double precision;
