create view titles as select text as title from notes;
