import { tlsRenewalContract } from '../contract/tls-renewal.js';

tlsRenewalContract('h2');
