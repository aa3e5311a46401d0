/** Requests that share connections with their like only, so that a renewal never waits behind anything. */
export type Lane = 'requests' | 'watches' | 'renewals';
