"""The engine below the store: DuckDB. No other room imports it. Parquet files are read and written here, too."""
