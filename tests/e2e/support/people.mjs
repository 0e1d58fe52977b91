// A tenant "demo" with members of every role, two of them called Ana, and categories of its own.
export const ANA = 'ana.lopez@acme.example';
export const VERA = 'vera@acme.example';

export const PEOPLE_AND_CATEGORIES = [
  {
    name: 'demo',
    time_zone: 'Europe/Berlin',
    members: [
      { email: ANA, name: 'Ana Lopez', role: 'agent' },
      { email: 'ana.ruiz@acme.example', name: 'Ana Ruiz', role: 'agent' },
      { email: 'ben@acme.example', name: 'Ben Okafor', role: 'admin' },
      { email: VERA, name: 'Vera Lind', role: 'viewer' },
    ],
    settings: { tickets: { categories: ['Hardware', 'Network', 'Accounts'] } },
  },
  { name: 'open', time_zone: 'America/New_York' },
];
