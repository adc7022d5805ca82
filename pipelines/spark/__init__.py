"""The models on Spark: the same files, translated statement by statement.

pyspark is imported where it works: the daily run has no use for it.
"""
