//! Tests of fields: what each form becomes, and what is said of wrong ones.
