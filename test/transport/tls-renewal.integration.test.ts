import { tlsRenewalContract } from '../contract/tls-renewal.js';

tlsRenewalContract('grpc-js');
