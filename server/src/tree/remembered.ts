/**
 * A function that works out each answer once.
 * @param answer depends on nothing but its key
 */
export function remembered<Value>(answer: (key: string) => Value): (key: string) => Value {
  const answers = new Map<string, { readonly value: Value }>();
  return (key) => {
    const known = answers.get(key);
    if (known) return known.value;
    const value = answer(key);
    answers.set(key, { value });
    return value;
  };
}
