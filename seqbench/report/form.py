"""The form of the tables: within one form the same records give the same bytes.

A change of a column, a rounding or a rule of a claim needs a new number. An edition keeps the tables of its own form
(docs/adr/0010); one's own results are shown in the form of today.

====  ============================================================================================================
form  what is different
====  ============================================================================================================
1, 2  the median of the steps to solve compares survival with one half in floats; T8 has one interval, over seeds
3     the median is compared in fractions; T8 also has an interval over tasks; T7 has the threshold
====  ============================================================================================================
"""

FORM = 3
REPRODUCIBLE_FORMS = range(1, FORM + 1)  # forms whose CSV this code reproduces
