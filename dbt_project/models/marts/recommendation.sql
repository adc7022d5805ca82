{{ contract_only() }}
