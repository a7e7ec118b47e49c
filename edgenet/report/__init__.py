"""Results of measurements as people and programs read them: HTML, Markdown and CSV.

All of them show the texts of `edgenet.report.format` and the tables of `edgenet.report.tables`, as
the command line does: a figure has the same digits everywhere.
"""
