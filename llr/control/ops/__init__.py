"""What the operations of the table do, one module per theme: pure changes of the document and the reports on them.

Law: a module is imported when one of its operations runs. Whatever comes from outside (time, chance, network, other
processes) comes in through `gather`.
"""
