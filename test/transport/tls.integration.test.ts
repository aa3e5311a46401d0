import { tlsContract } from '../contract/tls.js';

tlsContract('grpc-js');
