alter table notes add column written_at timestamptz not null default now();
