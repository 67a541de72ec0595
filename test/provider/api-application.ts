// An application that may ask for tokens for two APIs.

import { type Application, application, type Stage } from './support.ts';

export const API = 'https://api.example/';
export const OTHER_API = 'https://other.example/';

export const apiApplication = ({ world, tenants, server }: Stage): Promise<Application> =>
  application(world, tenants.acme, server, {
    resources: [
      { identifier: API, scopes: ['reports:read', 'reports:write'] },
      { identifier: OTHER_API, scopes: ['other'] },
    ],
  });
