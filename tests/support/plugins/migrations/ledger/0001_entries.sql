create table entries (
  tenant_id integer not null default toolhost.tenant_id(),
  id        bigint generated always as identity,
  marker    text not null,
  primary key (tenant_id, id)
);
