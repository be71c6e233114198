"""Access to the store by several processes: locks for writers, copies and exports for readers."""
