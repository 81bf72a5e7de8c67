"""The glue between command line, trainer and database: what each study is and how it runs."""
