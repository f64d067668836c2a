/**
 * The measurement of travellers' positions: tags `sensor`, `type` and `slot`; fields `traveller` (text), `x` and `y` in
 * metres, `elapsed_ns` since the traveller's position before at that sensor (0 for the first of a stay), and `speed` in
 * metres a second from there, which the first of a stay has none of.
 */
export const TRAVELLERS = 'travellers';
