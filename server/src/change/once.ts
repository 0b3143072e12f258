/**
 * A function that works out each answer once, for as long as what it is asked about is held: several rules ask the same
 * of one change set, file or item, and of a large patch nobody may ask the whole of it for each file.
 * @param answer depends on nothing but its key
 */
export function oncePer<Key extends object, Value>(answer: (key: Key) => Value): (key: Key) => Value {
  const answers = new WeakMap<Key, { readonly value: Value }>();
  return (key) => {
    const known = answers.get(key) ?? { value: answer(key) };
    answers.set(key, known);
    return known.value;
  };
}
