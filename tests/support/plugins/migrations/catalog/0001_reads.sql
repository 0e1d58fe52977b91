create table reads (
  tenant_id integer not null default toolhost.tenant_id(),
  uri       text not null,
  primary key (tenant_id, uri)
);
