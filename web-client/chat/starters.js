/** What an empty conversation offers; the lines with @ are the scripted model's own controls. Six: the grid has no hole. */

const CODE = `Look three customers up, with code.
@tokens 8
@code
\`\`\`python
from agent_tools import tools
import time

for customer in ("C1", "C2", "C3"):
    found = tools.crm.lookup(customer=customer)
    print(customer, found, flush=True)
    time.sleep(0.5)
\`\`\`
@then
@tokens 40`;

const REFUSED = `Send a mail, which this key may not.
@tokens 8
@tool mail.send {"draft_id": "D1"}
@then
@tokens 30`;

const STARTERS = {
  demo: [
    ['Watch the meter run', 'Tell me something about metering.\n@tokens 400\n@rate 40'],
    ['A call that waits for a person', 'Refund 120.00, which finance has to agree to.\n@tokens 8\n'
      + '@tool payments.refund {"order_id": "A1", "amount": "120.00"}\n@then\n@tokens 30'],
    ['Run into the cap', 'Write until you are stopped.\n@tokens 20000\n@rate 200'],
    ['Code that calls tools', CODE],
    ['A call that is refused', REFUSED],
    ['Two calls at once', 'Look a customer and the handbook up.\n@tool crm.lookup {"customer": "C1"}\n'
      + '@tool knowledge.search {"query": "refunds"}\n@then\n@tokens 40'],
  ],
  other: [
    ['Explain something', 'Explain how a token bucket works, with a small example.'],
    ['Write some code', 'Write a function that parses a decimal string into an integer number of cents.'],
    ['Watch the meter run', 'Tell me a long story about a lighthouse, in ten paragraphs.'],
    ['Run code', 'Use code to find the first ten prime numbers above one million, and print them.'],
    ['Use a tool', 'Look up what you can find about customer C1.'],
    ['Search the knowledge', 'What do our documents say about refunds? Quote the passage.'],
  ],
};

/** @returns {[title: string, text: string][]} */
export const starters = (model) => STARTERS[model === 'demo' ? 'demo' : 'other'];
