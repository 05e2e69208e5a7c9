"""/posts/: reviews and photos of products and places, others' and one's own."""

from typing import Any

from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import callers, writes
from config.api.fields import Text, Whole
from config.api.parsing import StrictFormParser, StrictJSONParser
from config.api.serializers import StrictSerializer, read, read_query
from loyalty import community
from loyalty.models import Post

LONGEST = 2_000
ABOUT = "One of sku and place"


class ReviewIn(StrictSerializer):
    sku = Text(max_length=64, required=False, help_text=ABOUT)
    place = Text(max_length=64, required=False, help_text=ABOUT)
    stars = Whole(min_value=1, max_value=5)
    text = Text(max_length=LONGEST, required=False)


class PhotoIn(StrictSerializer):
    sku = Text(max_length=64, required=False, help_text=ABOUT)
    place = Text(max_length=64, required=False, help_text=ABOUT)
    text = Text(max_length=LONGEST, required=False)
    picture = serializers.FileField(max_length=200, help_text="JPEG, PNG or WebP, at most 10 MB")


class AboutIn(StrictSerializer):
    sku = Text(max_length=64, required=False)
    place = Text(max_length=64, required=False)


class PostOut(serializers.ModelSerializer[Post]):
    sku = serializers.CharField(source="product.sku", default=None, allow_null=True)
    place = serializers.CharField(source="place.code", default=None, allow_null=True)
    author = serializers.CharField(source="member.given_name")
    is_verified = serializers.BooleanField(help_text="Bought it, or was there")
    picture = serializers.SerializerMethodField(help_text="Where the picture is, for members")

    class Meta:
        model = Post
        fields = (
            "id", "kind", "sku", "place", "author", "is_verified", "stars", "text", "picture",
            "posted_at",
        )  # fmt: skip

    def get_picture(self, post: Post) -> str | None:
        return f"/api/v1/posts/{post.pk}/picture/" if post.picture else None


class OwnPostOut(PostOut):
    class Meta:
        model = Post
        fields = (*PostOut.Meta.fields, "state", "reason", "points")


class PostedOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Post.Kind.choices)
    state = serializers.ChoiceField(Post.State.choices)
    is_verified = serializers.BooleanField()


class Posts(generics.ListAPIView[Post]):
    """What was accepted, newest first; a review comes as JSON, a photo as a form with its file."""

    serializer_class = PostOut
    parser_classes = (StrictJSONParser, StrictFormParser)
    ordering = "-posted_at"
    queryset = Post.objects.none()

    @property
    def throttle_scope(self) -> str:
        return "post" if self.request.method == "POST" else ""

    def get_queryset(self) -> Any:
        about = read_query(AboutIn, self.request)
        return community.shown(subject=community.Subject.named(**about))

    @extend_schema(parameters=[OpenApiParameter("sku", str), OpenApiParameter("place", str)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        request={"application/json": ReviewIn, "multipart/form-data": PhotoIn},
        responses={201: PostedOut},
    )
    def post(self, request: Request) -> Response:
        is_photo = str(request.content_type).startswith("multipart/")
        said = read(PhotoIn if is_photo else ReviewIn, request)
        member = callers.member_of(request)
        about = {name: said.pop(name, "") for name in ("sku", "place")}

        def post() -> tuple[int, dict[str, Any]]:
            subject, now = community.Subject.named(**about), timezone.now()
            if is_photo:
                picture = said["picture"]
                picture.seek(0)
                row = community.photograph(
                    member=member, subject=subject, now=now, **{**said, "picture": picture.read()}
                )
            else:
                row = community.review(member=member, subject=subject, now=now, **said)
            return 201, PostedOut(row).data

        return writes.answer_once(request, post)


class OnePost(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, post_id: int) -> Response:
        member = callers.member_of(request)

        def take_down() -> tuple[int, dict[str, Any]]:
            community.take_down(post_id=post_id, member=member)
            return 204, {}

        return writes.answer_once(request, take_down)


class Picture(APIView):
    @extend_schema(responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, post_id: int) -> FileResponse:
        row = community.picture_of(post_id=post_id, member=callers.member_of(request))
        return FileResponse(
            row.picture.open(), content_type="image/jpeg", headers={"Cache-Control": "private"}
        )


class MyPosts(generics.ListAPIView[Post]):
    """The member's own, with what became of them."""

    serializer_class = OwnPostOut
    ordering = "-posted_at"
    queryset = Post.objects.none()

    def get_queryset(self) -> Any:
        return community.own(member=callers.member_of(self.request))
