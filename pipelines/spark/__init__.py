"""The models on Spark: the same files, translated statement by statement. pyspark is imported where it works."""
