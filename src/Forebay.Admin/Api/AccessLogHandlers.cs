using Forebay.Core;

namespace Forebay.Admin.Api;

/// <summary>Shows and switches the access log of a mount.</summary>
internal static class AccessLogHandlers
{
    public static Task StatusAsync(AdminContext context) => context.WriteAsync(SwitchOf(context).Status, AdminJson.Default.AccessLogStatus);

    public static Task SwitchAsync(AdminContext context)
    {
        AccessLogBody body = context.ReadBody(AdminJson.Default.AccessLogBody);
        bool on = body.On ?? throw new ForebayException(ErrorKind.InvalidArgument, "The member 'on' is missing from the request body.");
        if (body.File is { } file && !Path.IsPathRooted(file))
        {
            throw new ForebayException(ErrorKind.InvalidArgument, "'file' needs an absolute path.");
        }

        return context.WriteAsync(SwitchOf(context).Switch(on, body.File), AdminJson.Default.AccessLogStatus);
    }

    private static IAccessLogSwitch SwitchOf(AdminContext context)
        => context.Options.AccessLog ?? throw new ForebayException(ErrorKind.NotSupported, "Only mounts have an access log.");
}
