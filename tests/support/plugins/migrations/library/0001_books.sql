create table books (
  tenant_id integer not null default toolhost.tenant_id(),
  id        integer not null,
  title     text not null,
  primary key (tenant_id, id)
);
create view titles as select id, title from books where title not like 'draft%';
