"""How the reconciliation codes were made: run ``python -m keybeam.distillation.design``.

`plan` says which codes there are and of which degrees, `construction` places the
circulants, `measurement` finds how many errors a code can stand.
"""
