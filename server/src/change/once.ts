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

/**
 * The same for texts, of which an editor asks for nearly all again at every key.
 * @param answer depends on nothing but the text
 * @param mostCharacters of the texts that answers are held of; those asked for longest ago are forgotten
 */
export function oncePerText<Value>(
  answer: (text: string) => Value,
  mostCharacters: number,
): (text: string) => Value {
  const answers = new Map<string, { readonly value: Value }>();
  let characters = 0;
  return (text) => {
    const known = answers.get(text);
    if (known) {
      answers.delete(text);
      answers.set(text, known);
      return known.value;
    }
    const value = answer(text);
    answers.set(text, { value });
    characters += text.length;
    for (const oldest of answers.keys()) {
      if (characters <= mostCharacters) break;
      answers.delete(oldest);
      characters -= oldest.length;
    }
    return value;
  };
}
