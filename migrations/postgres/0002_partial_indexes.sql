-- Here the first step says `= true` already: many engines want no index dropped and made anew in one
-- transaction.
select 1;
