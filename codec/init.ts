/**
 * A message as one may write it: every field may be left out, at any depth, since protobuf has a default for each.
 * Undefined means left out; so does null where a message stands.
 */
export type Init<T> = T extends string | number | bigint | boolean | Uint8Array | null | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Init<Item>[]
    : string extends keyof T
      ? { readonly [Key in keyof T]: Init<T[Key]> }
      : { readonly [Key in keyof T]?: Init<T[Key]> | undefined };
