-- Everything that a string literal must escape: "quotes", back\slash, $1 ${x} @y@ ; [a] tab	here, ü 😀, and %s.
create table notes (
  tenant_id integer not null default toolhost.tenant_id(),
  id        integer not null,
  body      text not null check (body <> '??='),
  primary key (tenant_id, id)
);
