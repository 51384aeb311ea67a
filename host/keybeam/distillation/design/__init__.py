"""How the reconciliation codes were made: run ``python -m keybeam.distillation.design``.

`plan` says which codes there are and of which degrees, `construction` places the
circulants, `measurement` finds how many errors a code can stand; `density_evolution`
and `thresholds` say how many it could stand if it had no end.
"""
