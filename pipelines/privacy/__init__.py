"""What the law gives people: to be forgotten (`erasure`), and to be told what is known of them (`access`)."""
