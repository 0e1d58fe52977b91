create table counters (
  tenant_id integer not null default toolhost.tenant_id(),
  name      text not null,
  count     bigint not null default 0,
  primary key (tenant_id, name)
);
