//! Does every critical query stay within its budget?
