"""Groups of commands that know which one may have been meant."""

import click

from taskq_client.cli.suggestions import did_you_mean


class SuggestingGroup(click.Group):
    """A group that says, of a command that does not exist, which one may have been meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command."""
        name = args[0]
        is_known = self.get_command(ctx, name) is not None
        if not (is_known or ctx.resilient_parsing or name.startswith("-")):
            hint = did_you_mean(name, self.list_commands(ctx))
            ctx.fail(f"No such command {name!r}{hint or '.'}")
        return super().resolve_command(ctx, args)
