-- Access tokens name tenants that need have no key: every host hears of new tenants, too, and of those that are gone.

create trigger tenants_made after insert or delete on tenants
  for each statement execute function announce_keys();
