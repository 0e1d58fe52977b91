create table closed (
  tenant_id integer not null default toolhost.tenant_id(),
  title     text not null,
  primary key (tenant_id, title)
);
