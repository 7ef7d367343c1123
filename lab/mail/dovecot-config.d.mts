export const USER_PASSWORD: string;
export const DOVEADM_API_KEY: string;
